cwlVersion: v1.2

class: CommandLineTool
baseCommand: echo
inputs:
  pair:
    type:
      type: record
      fields:
        left: {type: int, inputBinding: {prefix: -l}}
        right: {type: File, inputBinding: {prefix: -r, valueFrom: $(self.basename)}}
        deep: {type: {type: record, fields: {x: {type: string, inputBinding: {position: 9}}}}}
outputs:
  out: stdout
  back: {type: {type: record, fields: {text: {type: File, outputBinding: {glob: out.txt}}, left: {type: int, outputBinding: {outputEval: $(inputs.pair.left)}}}}}
stdout: out.txt
