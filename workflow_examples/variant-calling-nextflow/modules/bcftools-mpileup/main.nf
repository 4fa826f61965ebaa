// Compute genotype likelihoods.
//
// --no-version keeps the date and the command line out of the header; the header does name the reference, so that lies
// in the task's folder.
process BCFTOOLS_MPILEUP {
    tag "${alignments.name}"
    conda "${moduleDir}/environment.yml"

    input:
    path reference
    path reference_index
    tuple path(alignments), path(alignments_index)

    output:
    path "${alignments.baseName}.bcf", emit: likelihoods

    script:
    """
    bcftools mpileup --no-version --output-type u --fasta-ref ${reference} ${alignments} >${alignments.baseName}.bcf
    """
}
