cwlVersion: v1.2

class: CommandLineTool
requirements: {EnvVarRequirement: {envDef: {GREETING: "hi $(inputs.who)", "EMPTY": ""}}}
baseCommand: [sh, -c, 'echo "$GREETING|$EMPTY|${EMPTY+set}"; test "$HOME" = "$PWD" && echo at home']
inputs: {who: string}
outputs: {out: stdout}
stdout: out.txt
