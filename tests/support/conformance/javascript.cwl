cwlVersion: v1.2

class: CommandLineTool
requirements:
  InlineJavascriptRequirement:
    expressionLib:
      - {$include: data/library.js}
      - "var shift = 3;"
baseCommand: echo
arguments: ["$(twice(inputs.word))", "${ return inputs.number + shift; }", "$(runtime.cores > 0)", "a$(inputs.number)b"]
inputs: {word: string, number: int}
outputs: {out: stdout, computed: {type: float, outputBinding: {outputEval: "${ return inputs.number / 4; }"}}}
stdout: $(inputs.word).txt
