<?xml version="1.0" encoding="UTF-8"?>
<!-- Makes sdfw-manifest(5) of schemas/manifest.xsd. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
                xmlns:xs="http://www.w3.org/2001/XMLSchema">
  <xsl:import href="schema.xsl"/>
  <xsl:output method="text" encoding="UTF-8"/>

  <xsl:template match="/xs:schema">
    <xsl:text>.\" Made of schemas/manifest.xsd by docs/man/manifest.xsl.
.TH SDFW\-MANIFEST 5 "</xsl:text>
    <xsl:value-of select="$date"/>
    <xsl:text>" "ovs-sdfw </xsl:text>
    <xsl:value-of select="$version"/>
    <xsl:text>" "ovs-sdfw Manual"
.SH NAME
sdfw\-manifest \- the language of manifests of ovs\-sdfw
.SH DESCRIPTION
</xsl:text>
    <xsl:call-template name="documentation"/>
    <xsl:text>.PP
Entities and DTDs are refused, and nothing is read from the network.  A file
may have 64 MiB.
.SH ELEMENTS
</xsl:text>
    <xsl:apply-templates select="xs:element"/>
    <xsl:text>.SH OPENINGS&#10;What a link opens, or an accept agrees to.&#10;</xsl:text>
    <xsl:apply-templates select="xs:group/xs:choice/xs:element"/>
    <xsl:call-template name="values"/>
    <xsl:text>.SH EXAMPLE
.nf
&lt;manifest xmlns="urn:ovs\-sdfw:manifest:1" version="1"&gt;
  &lt;network name="office"&gt;
    &lt;prefix&gt;192.0.2.0/24&lt;/prefix&gt;
    &lt;except&gt;192.0.2.13&lt;/except&gt;
  &lt;/network&gt;
  &lt;application name="shop" mode="enforce"&gt;
    &lt;service name="web"&gt;
      &lt;workload name="web\-1" interface="vnet3"&gt;
        &lt;mac&gt;52:54:00:12:34:56&lt;/mac&gt;
        &lt;address&gt;10.0.0.11&lt;/address&gt;
      &lt;/workload&gt;
    &lt;/service&gt;
    &lt;link from="office" to="web"&gt;
      &lt;tcp port="80,443"/&gt;
    &lt;/link&gt;
  &lt;/application&gt;
  &lt;expect from="office" to="shop/web" protocol="tcp" port="443"
          verdict="allow"/&gt;
&lt;/manifest&gt;
.fi
.SH SEE ALSO
.BR sdfw (8)
</xsl:text>
  </xsl:template>
</xsl:stylesheet>
