cwlVersion: v1.2
class: CommandLineTool
label: Write each word of a text on a line of its own
doc: tr takes the set of what is not a letter, and squeezes each run of it into one line end.
hints:
  DockerRequirement: {dockerPull: "word-count:bookworm"}
requirements:
  EnvVarRequirement:
    envDef: {LC_ALL: C}
baseCommand: [tr, --complement, --squeeze-repeats, A-Za-z, '\n']
inputs:
  text: stdin
stdout: words.txt
outputs:
  words: stdout
