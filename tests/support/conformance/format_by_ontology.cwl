cwlVersion: v1.2

class: CommandLineTool
$namespaces: {e: "http://example.org/formats#", o: "http://example.net/formats#"}
$schemas: [data/formats.ttl, data/formats_of_others.ttl]
baseCommand: cat
inputs:
  file: {type: File, format: e:text, inputBinding: {}}
  equivalent: {type: File, format: o:verse, inputBinding: {}}
outputs: {out: {type: stdout, format: $(inputs.equivalent.format)}}
stdout: out.txt
