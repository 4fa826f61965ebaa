cwlVersion: v1.2
class: CommandLineTool
baseCommand: cat
inputs:
  file: {type: File, inputBinding: {}}
outputs:
  out: stdout
stdout: $(inputs.file.nameroot).copy
