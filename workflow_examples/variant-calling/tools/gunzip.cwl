cwlVersion: v1.2
class: CommandLineTool
label: Unpack a file compressed with gzip
hints:
  DockerRequirement: {dockerPull: "variant-calling:bookworm"}
  SoftwareRequirement:
    packages:
      gzip:
        version: ["1.12"]
        specs: ["https://www.gnu.org/software/gzip/"]
baseCommand: [gzip, --decompress, --stdout]
inputs:
  packed:
    type: File
    inputBinding: {position: 1}
stdout: $(inputs.packed.nameroot)
outputs:
  unpacked: stdout
