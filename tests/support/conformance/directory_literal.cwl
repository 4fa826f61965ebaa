cwlVersion: v1.2

class: CommandLineTool
baseCommand: [sh, -c, 'cd "$0" && find -L . -type f | LC_ALL=C sort | xargs cat']
inputs:
  folder: {type: Directory, inputBinding: {}}
outputs: {out: stdout}
stdout: out.txt
