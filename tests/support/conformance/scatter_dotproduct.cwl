cwlVersion: v1.2

class: Workflow
requirements: {ScatterFeatureRequirement: {}, StepInputExpressionRequirement: {}, InlineJavascriptRequirement: {}}
inputs: {a: "string[]", b: "string[]"}
outputs: {out: {type: "string[]", outputSource: join/out}}
steps:
  join:
    scatter: [one, more]
    scatterMethod: dotproduct
    in:
      one: a
      more: b
      words: {valueFrom: "$([inputs.one])"}
    out: [out]
    run: parts/join.cwl
