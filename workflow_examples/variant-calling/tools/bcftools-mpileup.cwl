cwlVersion: v1.2
class: CommandLineTool
label: Compute genotype likelihoods
doc: |
  --no-version keeps the date and the command line out of the header; the header does name the reference, so that lies
  in the working directory.
hints:
  EnvVarRequirement: {envDef: {LC_ALL: C.UTF-8}}
  DockerRequirement: {dockerPull: "variant-calling:bookworm"}
  SoftwareRequirement:
    packages:
      bcftools:
        version: ["1.16"]
        specs: ["https://bio.tools/bcftools"]
        s:url: https://samtools.github.io/bcftools/
        s:codeRepository: https://github.com/samtools/bcftools
        s:license: ["https://spdx.org/licenses/MIT", "https://spdx.org/licenses/GPL-3.0-only"]
        s:citation: https://doi.org/10.1093/gigascience/giab008
requirements:
  InitialWorkDirRequirement:
    listing: [$(inputs.reference)]
baseCommand: [bcftools, mpileup, --no-version, --output-type, u]
inputs:
  reference:
    type: File
    secondaryFiles: [.fai]
    inputBinding: {prefix: --fasta-ref, valueFrom: $(self.basename)}
  alignments:
    type: File
    secondaryFiles: [.bai]
    inputBinding: {position: 1}
stdout: $(inputs.alignments.nameroot).bcf
outputs:
  likelihoods: stdout
$namespaces: {s: https://schema.org/}
