cwlVersion: v1.2

class: Workflow
requirements: {InlineJavascriptRequirement: {}, MultipleInputFeatureRequirement: {}}
inputs: {file: File, go: boolean}
outputs:
  out: {type: File, outputSource: [yes/out, no/out], pickValue: first_non_null}
  skipped: {type: "File?", outputSource: no/out}
steps:
  "yes": {in: {file: file, go: go}, when: $(inputs.go), out: [out], run: parts/cat.cwl}
  "no": {in: {file: file, go: go}, when: $(!inputs.go), out: [out], run: parts/shout.cwl}
