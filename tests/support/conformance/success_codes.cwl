cwlVersion: v1.2

class: CommandLineTool
baseCommand: [sh, -c, 'echo done; exit 42']
successCodes: [0, 42]
inputs: {}
outputs: {out: stdout, code: {type: int, outputBinding: {outputEval: $(runtime.exitCode)}}}
stdout: out.txt
