cwlVersion: v1.2

class: CommandLineTool
baseCommand: echo
inputs:
  table: {type: {type: array, items: {type: array, items: int}}, inputBinding: {position: 1}}
  files: {type: {type: array, items: {type: array, items: File}}}
  empty: {type: "string[]"}
outputs:
  out: stdout
  same: {type: {type: array, items: {type: array, items: File}}, outputBinding: {outputEval: $(inputs.files)}}
stdout: out.txt
