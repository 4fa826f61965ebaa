cwlVersion: v1.2
class: CommandLineTool
label: Call variants
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
baseCommand: [bcftools, call, --no-version, --multiallelic-caller, --variants-only, --output-type, v]
inputs:
  likelihoods:
    type: File
    inputBinding: {position: 1}
  ploidy:
    type: int
    default: 2
    inputBinding: {prefix: --ploidy}
stdout: $(inputs.likelihoods.nameroot).vcf
outputs:
  variants: stdout
$namespaces: {s: https://schema.org/}
