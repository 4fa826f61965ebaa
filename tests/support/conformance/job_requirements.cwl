cwlVersion: v1.2

class: CommandLineTool
baseCommand: [sh, -c, 'echo "$FROM_JOB"']
inputs: {}
outputs: {out: stdout}
stdout: out.txt
