cwlVersion: v1.2
class: CommandLineTool
label: Count equal lines, the most frequent first
hints:
  DockerRequirement: {dockerPull: "word-count:bookworm"}
requirements:
  # A pipe needs a shell. A script can be read in the working directory; ShellCommandRequirement would hide it.
  InitialWorkDirRequirement:
    listing:
      - entryname: count.sh
        entry: |
          tr A-Z a-z | sort | uniq --count | sort --key=1,1nr --key=2,2
  EnvVarRequirement:
    envDef: {LC_ALL: C}
baseCommand: [sh, count.sh]
inputs:
  words: stdin
stdout: counts.txt
outputs:
  counts: stdout
