cwlVersion: v1.2

class: CommandLineTool
requirements: {ShellCommandRequirement: {}}
arguments: [{shellQuote: false, valueFrom: "cat"}, $(inputs.file.path), {shellQuote: false, valueFrom: "| tr a-z A-Z > shouted.txt; echo"}, "$(inputs.word)"]
inputs: {file: File, word: string}
outputs: {out: stdout, shouted: {type: File, outputBinding: {glob: shouted.txt}}}
stdout: out.txt
