cwlVersion: v1.2

class: CommandLineTool
$namespaces: {edam: "http://edamontology.org/"}
baseCommand: cat
inputs: {file: {type: File, format: edam:format_2330, inputBinding: {}}}
outputs: {out: {type: stdout, format: edam:format_1964}, same: {type: File, format: $(inputs.file.format), outputBinding: {glob: out.txt}}}
stdout: out.txt
