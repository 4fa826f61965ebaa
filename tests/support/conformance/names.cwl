cwlVersion: v1.2

class: CommandLineTool
requirements: {InlineJavascriptRequirement: {}}
baseCommand: [sh, -c, 'for f; do basename "$f"; cat "$f"; done; echo made > "made 100% #1.txt"', sh]
inputs: {files: {type: "File[]", inputBinding: {}}}
outputs:
  out: stdout
  names: {type: "string[]", outputBinding: {outputEval: "$(inputs.files.map(function (f) { return f.basename; }))"}}
  made: {type: File, outputBinding: {glob: "made*.txt"}}
stdout: out.txt
