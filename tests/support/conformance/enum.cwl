cwlVersion: v1.2

class: CommandLineTool
baseCommand: echo
inputs:
  mood: {type: {type: enum, symbols: [calm, wild]}, inputBinding: {prefix: --mood}}
  maybe: {type: ["null", {type: enum, symbols: [x, y]}], inputBinding: {prefix: --maybe}}
outputs: {out: stdout}
stdout: out.txt
