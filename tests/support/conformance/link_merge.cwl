cwlVersion: v1.2

class: Workflow
requirements: {MultipleInputFeatureRequirement: {}}
inputs: {a: string, b: string, many: "string[]"}
outputs:
  nested: {type: Any, outputSource: [a, b], linkMerge: merge_nested}
  flat: {type: "string[]", outputSource: [many, a, b], linkMerge: merge_flattened}
  said: {type: string, outputSource: join/out}
steps:
  join: {in: {words: {source: [a, many, b], linkMerge: merge_flattened}}, out: [out], run: parts/join.cwl}
