cwlVersion: v1.2
class: CommandLineTool
label: Index a FASTA file
hints:
  EnvVarRequirement: {envDef: {LC_ALL: C.UTF-8}}
  DockerRequirement: {dockerPull: "variant-calling:bookworm"}
  SoftwareRequirement:
    packages:
      samtools:
        version: ["1.16.1"]
        specs: ["https://bio.tools/samtools"]
        s:url: https://www.htslib.org/
        s:codeRepository: https://github.com/samtools/samtools
        s:license: https://spdx.org/licenses/MIT
        s:citation: https://doi.org/10.1093/gigascience/giab008
requirements:
  # samtools writes the index beside the sequences, so they have to lie in the working directory.
  InitialWorkDirRequirement:
    listing: [$(inputs.sequences)]
baseCommand: [samtools, faidx]
inputs:
  sequences:
    type: File
    inputBinding: {position: 1, valueFrom: $(self.basename)}
outputs:
  indexed:
    type: File
    secondaryFiles: [.fai]
    outputBinding: {glob: $(inputs.sequences.basename)}
$namespaces: {s: https://schema.org/}
