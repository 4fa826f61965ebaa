cwlVersion: v1.2
class: CommandLineTool
label: Unpack a file compressed with gzip
hints:
  EnvVarRequirement: {envDef: {LC_ALL: C.UTF-8}}
  DockerRequirement: {dockerPull: "variant-calling:bookworm"}
  SoftwareRequirement:
    packages:
      gzip:
        version: ["1.12"]
        specs: ["https://packages.debian.org/bookworm/gzip"]
        s:url: https://www.gnu.org/software/gzip/
        s:codeRepository: https://git.savannah.gnu.org/cgit/gzip.git
        s:license: https://spdx.org/licenses/GPL-3.0-or-later
        s:citation: https://doi.org/10.17487/RFC1952
baseCommand: [gzip, --decompress, --stdout]
inputs:
  packed:
    type: File
    inputBinding: {position: 1}
stdout: $(inputs.packed.nameroot)
outputs:
  unpacked: stdout
$namespaces: {s: https://schema.org/}
