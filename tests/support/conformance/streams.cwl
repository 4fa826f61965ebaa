cwlVersion: v1.2

class: CommandLineTool
baseCommand: [sh, -c, 'cat; echo oops >&2']
inputs: {file: stdin}
outputs: {out: stdout, err: stderr}
stdout: said.txt
stderr: complained.txt
