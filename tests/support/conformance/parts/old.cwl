cwlVersion: v1.0
class: CommandLineTool
baseCommand: [wc, -c]
inputs:
  file: File
stdin: $(inputs.file.path)
outputs:
  count: {type: File, outputBinding: {glob: count.txt}}
stdout: count.txt
