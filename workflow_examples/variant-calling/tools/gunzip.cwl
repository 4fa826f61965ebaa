cwlVersion: v1.2
class: CommandLineTool
label: Unpack a file compressed with gzip
hints:
  DockerRequirement: {dockerPull: "variant-calling:bookworm"}
baseCommand: [gzip, --decompress, --stdout]
inputs:
  packed:
    type: File
    inputBinding: {position: 1}
stdout: $(inputs.packed.nameroot)
outputs:
  unpacked: stdout
