cwlVersion: v1.2
class: CommandLineTool
baseCommand: echo
inputs:
  words: {type: "string[]?", inputBinding: {position: 1}}
  more: {type: ["null", string], inputBinding: {position: 2}}
outputs:
  out: {type: string, outputBinding: {glob: said.txt, loadContents: true, outputEval: "$(self[0].contents)"}}
stdout: said.txt
