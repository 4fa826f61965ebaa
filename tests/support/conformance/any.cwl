cwlVersion: v1.2

class: ExpressionTool
requirements: {InlineJavascriptRequirement: {}}
inputs: {a: Any, b: "Any[]", c: Any?}
outputs: {all: Any, file: File}
expression: "${ return {all: [inputs.a, inputs.b.length, inputs.c], file: inputs.b[2]}; }"
