cwlVersion: v1.2

class: CommandLineTool
baseCommand: cat
inputs: {file: {type: File, inputBinding: {}}}
outputs: {out: stdout, name: {type: string, outputBinding: {outputEval: $(inputs.file.basename)}}}
stdout: out.txt
