cwlVersion: v1.2

class: CommandLineTool
requirements:
  SchemaDefRequirement: {types: [{$import: data/kinds.yml}]}
baseCommand: echo
inputs:
  pair: {type: "data/kinds.yml#pair", inputBinding: {valueFrom: "$(self.left)-$(self.right)"}}
  mood: {type: "data/kinds.yml#mood", inputBinding: {position: 2}}
outputs: {out: stdout}
stdout: out.txt
