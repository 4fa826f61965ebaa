cwlVersion: v1.2

class: ExpressionTool
requirements: {InlineJavascriptRequirement: {}}
inputs:
  missing: int?
  given_null: {type: ["null", string], default: never}
  defaulted: {type: int, default: 7}
  record_default: {type: Any, default: {a: [1, 2]}}
outputs: {all: Any}
expression: "${ return {all: inputs}; }"
