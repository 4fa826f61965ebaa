cwlVersion: v1.2

class: Workflow
requirements: {InlineJavascriptRequirement: {}, ScatterFeatureRequirement: {}, MultipleInputFeatureRequirement: {}}
inputs: {numbers: "int[]"}
outputs:
  raw: {type: {type: array, items: ["null", string]}, outputSource: odd/out}
  picked: {type: "string[]", outputSource: odd/out, pickValue: all_non_null}
steps:
  odd:
    scatter: number
    when: $(inputs.number % 2 == 1)
    in: {number: numbers}
    out: [out]
    run:
      class: ExpressionTool
      inputs: {number: int}
      outputs: {out: string}
      expression: "${ return {out: 'n' + inputs.number}; }"
