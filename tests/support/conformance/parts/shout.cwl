cwlVersion: v1.2
class: CommandLineTool
baseCommand: [tr, a-z, A-Z]
inputs:
  file: File
stdin: $(inputs.file.path)
outputs:
  out: {type: stdout}
stdout: shouted.txt
