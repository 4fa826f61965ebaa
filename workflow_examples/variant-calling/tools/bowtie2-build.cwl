cwlVersion: v1.2
class: CommandLineTool
label: Build a Bowtie 2 index
hints:
  EnvVarRequirement: {envDef: {LC_ALL: C.UTF-8}}
  DockerRequirement: {dockerPull: "variant-calling:bookworm"}
  SoftwareRequirement:
    packages:
      bowtie2:
        version: ["2.5.0"]
        specs: ["https://bio.tools/bowtie2"]
        s:url: https://bowtie-bio.sourceforge.net/bowtie2/
        s:codeRepository: https://github.com/BenLangmead/bowtie2
        s:license: https://spdx.org/licenses/GPL-3.0-or-later
        s:citation: https://doi.org/10.1038/nmeth.1923
requirements:
  InitialWorkDirRequirement:
    # In a container an empty folder is there only if it can be written to.
    listing:
      - entryname: index
        entry: $(inputs.empty)
        writable: true
baseCommand: [bowtie2-build, --quiet]
inputs:
  empty:
    type: Directory
    doc: The folder that the index is written into.
    default: {class: Directory, basename: index, listing: []}
  reference:
    type: File
    inputBinding: {position: 1}
  threads:
    type: int
    default: 1
    inputBinding: {prefix: --threads}
arguments:
  - position: 2
    valueFrom: index/reference
outputs:
  index:
    type: Directory
    doc: The index's files, named reference.*.bt2.
    outputBinding: {glob: index}
$namespaces: {s: https://schema.org/}
