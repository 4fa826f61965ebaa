cwlVersion: v1.2

class: CommandLineTool
baseCommand: [sh, -c, 'cat "$0.idx"']
inputs:
  file: {type: File, secondaryFiles: .idx, inputBinding: {}}
outputs: {out: stdout}
stdout: out.txt
