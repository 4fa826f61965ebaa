cwlVersion: v1.2

class: ExpressionTool
requirements: {InlineJavascriptRequirement: {}}
inputs: {i: int, l: long, f: float, d: double, s: string, b: boolean, n: "null", e: string}
outputs: {i: int, l: long, f: float, d: double, s: string, b: boolean, n: Any?, e: string}
expression: "${ return inputs; }"
