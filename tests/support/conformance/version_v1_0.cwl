cwlVersion: v1.0
class: Workflow
requirements: {InlineJavascriptRequirement: {}, StepInputExpressionRequirement: {}}
inputs:
  file: {type: File, secondaryFiles: [.idx]}
  folder: Directory
outputs: {out: {type: File, outputSource: look/out}}
steps:
  look:
    in: {file: file, folder: folder, n: {valueFrom: "$(inputs.folder.listing ? inputs.folder.listing.length : -1)"}}
    out: [out]
    run:
      class: CommandLineTool
      baseCommand: [sh, -c, 'cat "$0.idx"; echo "$1"']
      inputs: {file: {type: File, secondaryFiles: [.idx], inputBinding: {position: 1}}, folder: Directory, n: {type: int, inputBinding: {position: 2}}}
      outputs: {out: stdout}
      stdout: out.txt
