cwlVersion: v1.2

class: ExpressionTool
requirements: {InlineJavascriptRequirement: {}}
inputs: {}
outputs: {out: int}
expression: "${ throw 'no'; }"
