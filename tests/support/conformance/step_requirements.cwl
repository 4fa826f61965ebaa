cwlVersion: v1.2

class: Workflow
requirements: {EnvVarRequirement: {envDef: {WHERE: workflow, ONLY: top}}}
inputs: {}
outputs: {out: {type: File, outputSource: say/out}}
steps:
  say:
    requirements: {EnvVarRequirement: {envDef: {WHERE: step}}}
    in: {}
    out: [out]
    run:
      class: CommandLineTool
      hints: {EnvVarRequirement: {envDef: {WHERE: tool}}, "ResourceRequirement": {coresMin: 1, ramMin: 16}}
      baseCommand: [sh, -c, 'echo "$WHERE|$ONLY"']
      inputs: {}
      outputs: {out: stdout}
      stdout: out.txt
