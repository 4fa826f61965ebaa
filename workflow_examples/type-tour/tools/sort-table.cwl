cwlVersion: v1.2
class: CommandLineTool
label: Sort a table below its header, and say so in the file beside it
requirements:
  InitialWorkDirRequirement:
    listing:
      - entryname: sort.sh
        entry: |
          set -eu
          { head -n 1 "$1"; tail -n +2 "$1" | sort; } > sorted.tsv
          { cat "$1.about"; echo "sorted"; } > sorted.tsv.about
  EnvVarRequirement:
    envDef: {LC_ALL: C}
baseCommand: [sh, sort.sh]
inputs:
  table:
    type: File
    secondaryFiles: [.about]
    inputBinding: {position: 1}
outputs:
  sorted:
    type: File
    secondaryFiles: [.about]
    outputBinding: {glob: sorted.tsv}
