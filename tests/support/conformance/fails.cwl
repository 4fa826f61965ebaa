cwlVersion: v1.2

class: CommandLineTool
baseCommand: [sh, -c, 'echo half > out.txt; exit 3']
inputs: {}
outputs: {out: {type: File, outputBinding: {glob: out.txt}}}
