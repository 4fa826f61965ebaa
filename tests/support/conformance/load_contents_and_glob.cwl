cwlVersion: v1.2

class: CommandLineTool
requirements: {InlineJavascriptRequirement: {}}
baseCommand: [sh, -c, 'for n in 1 2 3; do echo $n > part$n.txt; done; mkdir d; echo deep > d/x.dat']
inputs: {pattern: {type: string, default: "part*.txt"}}
outputs:
  sum: {type: int, outputBinding: {glob: $(inputs.pattern), loadContents: true, outputEval: "${ return self.reduce(function (t, f) { return t + parseInt(f.contents); }, 0); }"}}
  parts: {type: "File[]", outputBinding: {glob: [part3.txt, "part[12].txt"]}}
  deep: {type: File, outputBinding: {glob: d/*.dat}}
  absent: {type: "File?", outputBinding: {glob: nothing.*}}
