cwlVersion: v1.2
class: ExpressionTool
label: Join a text and a number
requirements:
  InlineJavascriptRequirement: {}
inputs:
  letter: string
  number: int
outputs:
  pair: string
expression: |
  ${ return {"pair": inputs.letter + inputs.number}; }
