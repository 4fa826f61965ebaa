cwlVersion: v1.2

class: CommandLineTool
baseCommand: printf
arguments: [{position: -1, valueFrom: "%s|"}]
inputs:
  - {id: flag, type: boolean, inputBinding: {position: 3, prefix: --flag}}
  - {id: off, type: boolean, inputBinding: {position: 4, prefix: --off}}
  - {id: joined, type: "int[]", inputBinding: {position: 5, prefix: --n=, separate: false, itemSeparator: ","}}
  - {id: each, type: {type: array, items: string, inputBinding: {prefix: -e}}, inputBinding: {position: 6}}
  - {id: number, type: double, inputBinding: {position: 7}}
  - {id: odd, type: string, inputBinding: {position: 8}}
outputs:
  - {id: out, type: stdout}
stdout: out.txt
