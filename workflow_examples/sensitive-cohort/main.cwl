#!/usr/bin/env cwl-runner
cwlVersion: v1.2
class: Workflow
label: Association in a cohort
doc: Which variants do the ill carry more often than the healthy? What comes out tells of the cohort, not of its people.

inputs:
  genotypes:
    type: File
    label: Genotypes
    doc: VCF with one column a person.
  phenotypes:
    type: File
    label: Who is ill
    doc: Two columns, the person and whether that is a case or a control.
  threshold:
    type: float
    label: Least chi-squared that is kept
    default: 10.83

outputs:
  associations:
    type: File
    label: Variants that are associated with the illness
    outputSource: associate/associations

steps:
  count:
    run: tools/count-alleles.cwl
    in: {genotypes: genotypes, phenotypes: phenotypes}
    out: [alleles]
  associate:
    run: tools/associate.cwl
    in: {alleles: count/alleles, threshold: threshold}
    out: [associations]
