cwlVersion: v1.2

class: Workflow
requirements: {StepInputExpressionRequirement: {}, InlineJavascriptRequirement: {}}
inputs: {file: {type: File, loadContents: true}, n: {type: int, default: 2}}
outputs: {said: {type: string, outputSource: join/out}}
steps:
  join:
    in:
      file: file
      n: n
      words: {source: file, valueFrom: "$([self.basename, String(inputs.n), inputs.file.contents.trim()])"}
      more: {valueFrom: constant}
    out: [out]
    run: parts/join.cwl
