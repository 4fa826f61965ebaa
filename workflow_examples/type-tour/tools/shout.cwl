cwlVersion: v1.2
class: Workflow
label: Write a file in upper case, with an exclamation mark
inputs:
  quiet: File
outputs:
  loud: {type: File, outputSource: mark/marked}
steps:
  raise:
    run:
      class: CommandLineTool
      label: Turn a text into upper case
      baseCommand: [tr, a-z, A-Z]
      inputs:
        text: stdin
      stdout: $(inputs.text.nameroot).upper.txt
      outputs:
        raised: stdout
    in: {text: quiet}
    out: [raised]
  mark:
    run:
      class: CommandLineTool
      label: Add an exclamation mark to each line
      baseCommand: [paste, -d, '!']
      inputs:
        text:
          type: File
          inputBinding: {position: 1}
      arguments: [{valueFrom: /dev/null, position: 2}]
      stdout: $(inputs.text.basename)
      outputs:
        marked: stdout
    in: {text: raise/raised}
    out: [marked]
