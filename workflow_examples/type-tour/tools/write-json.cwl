cwlVersion: v1.2
class: CommandLineTool
label: Write a value as JSON
requirements:
  InlineJavascriptRequirement: {}
  InitialWorkDirRequirement:
    listing:
      - entryname: value.json
        entry: $(JSON.stringify(inputs.value, null, 2) + "\n")
baseCommand: [cat, value.json]
inputs:
  value: Any
stdout: description.json
outputs:
  written: stdout
