cwlVersion: v1.2
class: CommandLineTool
label: Print what is on the command line, read back as a string
requirements:
  InlineJavascriptRequirement: {}
  SchemaDefRequirement:
    types:
      - $import: ../types.yml
baseCommand: [printf, '%s\n']
inputs:
  colour:
    type: ../types.yml#colour
    inputBinding: {position: 1, prefix: --colour=, separate: false}
  person:
    type: ../types.yml#person
    inputBinding: {position: 2}
stdout: badge.txt
outputs:
  badge:
    type: string
    outputBinding:
      glob: badge.txt
      loadContents: true
      outputEval: $(self[0].contents.trim().split("\n").join(" "))
