cwlVersion: v1.2

class: CommandLineTool
$namespaces: {e: "http://example.org/formats#"}
$schemas: [data/formats.ttl]
baseCommand: cat
inputs: {file: {type: File, format: e:text, inputBinding: {}}}
outputs: {out: stdout}
stdout: out.txt
