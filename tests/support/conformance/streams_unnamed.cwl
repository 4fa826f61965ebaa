cwlVersion: v1.2

class: CommandLineTool
baseCommand: [sh, -c, 'echo out; echo err >&2']
inputs: {}
outputs: {out: stdout, err: stderr}
