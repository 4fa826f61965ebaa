// Call variants.
process BCFTOOLS_CALL {
    tag "${likelihoods.name}"
    conda "${moduleDir}/environment.yml"
    publishDir params.outdir, mode: params.publish_dir_mode

    input:
    path likelihoods
    val ploidy

    output:
    path "${likelihoods.baseName}.vcf", emit: variants

    script:
    """
    bcftools call --no-version --multiallelic-caller --variants-only --output-type v --ploidy ${ploidy} ${likelihoods} \\
        >${likelihoods.baseName}.vcf
    """
}
